"""What a watch on the tree has seen of single files, gathered until somebody looks.

Hints, never proof: whoever infers something from them looks the file up first (sync.md 12). Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from daemon.model.ids import MailboxName, MaildirName

MOST_FILES: Final = 256  # of one mailbox; beyond it listing the directory costs less than going by names
MOST_FILES_IN_ALL: Final = 4096  # of an account: what is kept until somebody looks stays below a megabyte


class FileEvent(StrEnum):
    """What became of a unique name in one mailbox.

    arrived: a file came from elsewhere or was made here, perhaps beside another of that name. renamed: it has another
    name here than before. unlinked: removed for good. departed: renamed to somewhere else.
    """

    ARRIVED = "arrived"
    RENAMED = "renamed"
    UNLINKED = "unlinked"
    DEPARTED = "departed"


_GONE: Final = frozenset({FileEvent.UNLINKED, FileEvent.DEPARTED})


@dataclass(frozen=True, slots=True)
class FileNews:
    """What happened to one unique name, and the path, relative to the mailbox's directory, where it is now or was last."""

    event: FileEvent
    path: str

    @property
    def is_gone(self) -> bool:
        return self.event in _GONE

    def then(self, later: "FileNews") -> "FileNews":
        """Both together. A second name that stays while the first one goes is a rename, made by link and unlink."""
        if later.is_gone:
            is_other_name = not self.is_gone and self.path != later.path
            return FileNews(FileEvent.RENAMED, self.path) if is_other_name else later
        if self.is_gone:
            return FileNews(FileEvent.RENAMED, later.path)
        if FileEvent.ARRIVED in {self.event, later.event}:
            return FileNews(FileEvent.ARRIVED, later.path)
        return later


NewsOfFiles = Mapping[MaildirName, FileNews]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalNews:
    """What has changed in the tree since the last look, by mailbox.

    `files` has mailboxes of which every change is known, file by file; `unknown` those that changed somehow. Of all others
    nothing was heard.
    """

    files: Mapping[MailboxName, NewsOfFiles] = field(default_factory=dict)
    unknown: frozenset[MailboxName] = frozenset()

    def plus(self, mailbox: MailboxName, files: NewsOfFiles | None) -> "LocalNews":
        """With one more change; None where nobody can say of which files."""
        if mailbox in self.unknown:
            return self
        together = None if files is None else merged(self.files.get(mailbox, {}), files)
        rest = {name: news for name, news in self.files.items() if name != mailbox}
        if (
            together is None
            or len(together) > MOST_FILES
            or len(together) + sum(map(len, rest.values())) > MOST_FILES_IN_ALL
        ):
            return LocalNews(files=rest, unknown=self.unknown | {mailbox})
        return replace(self, files={**rest, mailbox: together})

    def joined(self, later: "LocalNews") -> "LocalNews":
        """With everything that was heard later."""
        news = self
        for mailbox in later.unknown:
            news = news.plus(mailbox, None)
        for mailbox, files in later.files.items():
            news = news.plus(mailbox, files)
        return news


NO_NEWS: Final = LocalNews()


def merged(earlier: NewsOfFiles, later: NewsOfFiles) -> NewsOfFiles:
    """The news of one mailbox, one after the other."""
    together = dict(earlier)
    for name, news in later.items():
        before = together.get(name)
        together[name] = news if before is None else before.then(news)
    return together
