"""Which changes of mailboxes follow from records, listing and directories: a table of cases."""

from dataclasses import replace

import pytest

from daemon.model.ids import AccountId, MailboxName, MaildirName
from daemon.model.mailbox import MailboxRecord, Owner, RemoteMailbox, Stranger
from daemon.sync.mailbox_plan import (
    ASIDE,
    MOST_DOUBTFUL,
    Boxes,
    CreateThere,
    LeftAlone,
    Obstacle,
    doubtful_renames,
    plan_boxes,
)


def record(name, *, at=None, object_id=None, validity=7, uid_next=10):
    return MailboxRecord(
        account=AccountId("work"),
        name=MailboxName(name),
        wire_name=name.encode(),
        delimiter="/",
        directory=at or "." + name.replace("/", "."),
        uid_validity=validity,
        uid_next=uid_next,
        mailbox_id=object_id,
    )


def listed(name, *, object_id=None, validity=7, uid_next=10, old=None, is_selectable=True):
    return RemoteMailbox(
        name=MailboxName(name),
        wire_name=name.encode(),
        delimiter="/",
        mailbox_id=object_id,
        uid_validity=validity,
        uid_next=uid_next,
        old_wire_name=old,
        is_selectable=is_selectable,
    )


def stranger(name, *files, owner=Owner.NOBODY, is_complete=True):
    return Stranger(
        directory="." + name.replace("/", "."),
        name=MailboxName(name),
        owner=owner,
        is_complete=is_complete,
        files=frozenset(map(MaildirName, files)),
    )


INBOX = (record("INBOX", at="."), listed("INBOX"))


def boxes(records=(), remote=(), **options):
    known = {one.name: one for one in (INBOX[0], *records)}
    options.setdefault("kept", lambda name: True)
    return Boxes(records=known, listed=(INBOX[1], *remote), **options)


def here(plan):
    return [(one.record.name, one.remote.name, one.directory) for one in plan.renames_here]


def there(plan):
    return [(one.record.name, one.name) for one in plan.renames_there]


def missing(plan):
    return [one.name for one in plan.missing]


def is_empty(plan):
    return not (plan.renames_here or plan.renames_there or plan.creations or plan.left_alone or plan.missing)


def lost(**files):
    return {MailboxName(name): frozenset(map(MaildirName, names)) for name, names in files.items()}


def test_equal_sides_need_nothing():
    assert is_empty(plan_boxes(boxes([record("A")], [listed("A")])))


# -- renamed on the server


@pytest.mark.parametrize(
    ("old", "new", "is_rename"),
    [
        (record("A", object_id="x"), listed("B", object_id="x", validity=9), True),
        (record("A", object_id="x"), listed("B", object_id="y"), False),
        (record("A"), listed("B", object_id="y", old=b"A"), True),
        (record("A", object_id="x"), listed("B", object_id="y", old=b"A"), False),
        (record("A"), listed("B"), False),
    ],
    ids=["id", "other_id", "old_name", "old_name_of_another", "validity_alone"],
)
def test_rename_is_known_by_what_the_server_says(old, new, is_rename):
    plan = plan_boxes(boxes([old], [new]))
    assert here(plan) == ([("A", "B", None)] if is_rename else [])
    assert missing(plan) == ([] if is_rename else ["A"])


def test_same_validity_is_a_rename_when_samples_prove_it():
    state = boxes([record("A")], [listed("B")])
    assert [(one.name, remote.name) for one, remote in doubtful_renames(state)] == [("A", "B")]
    assert here(plan_boxes(replace(state, proved={("A", "B")}))) == [("A", "B", None)]


@pytest.mark.parametrize(
    "new",
    [listed("B", validity=8), listed("B", validity=None), listed("B", uid_next=9)],
    ids=["other_validity", "no_validity", "uid_next_went_back"],
)
def test_numbers_that_speak_against_a_rename_are_not_even_looked_at(new):
    assert not doubtful_renames(boxes([record("A")], [new]))


def test_pairs_with_the_same_numbers_are_looked_at_first_and_not_without_end():
    records = [record(f"r{number}", uid_next=number) for number in range(20)]
    remote = [listed(f"m{number}", uid_next=number) for number in range(20)]
    pairs = doubtful_renames(boxes(records, remote))
    assert len(pairs) == MOST_DOUBTFUL
    assert [(one.name, other.name) for one, other in pairs[:20]] == [(f"r{n}", f"m{n}") for n in range(20)]


def test_twenty_thousand_mailboxes_are_planned_without_comparing_each_with_each():
    """A server that gives all of them one UIDVALIDITY and other names at once."""
    records = [record(f"r{number}", uid_next=number + 1) for number in range(20_000)]
    state = boxes(records, [listed(f"m{number}", uid_next=5) for number in range(20_000)])
    assert len(doubtful_renames(state)) <= MOST_DOUBTFUL
    assert len(plan_boxes(state).missing) == 20_000


def test_children_follow_their_parent_one_round_later_and_without_proof():
    old = [record("A", object_id="x"), record("A/B"), record("A/B/C")]
    new = [listed("Z", object_id="x"), listed("Z/B", validity=1), listed("Z/B/C", validity=1)]
    assert here(plan_boxes(boxes(old, new))) == [("A", "Z", None)]
    after = [record("Z", object_id="x"), *old[1:]]
    assert missing(plan_boxes(boxes(after, new))) == ["A/B", "A/B/C"], "then the samples must tell"
    proved = {("A/B", "Z/B"), ("A/B/C", "Z/B/C")}
    assert here(plan_boxes(boxes(after, new, proved=proved))) == [("A/B", "Z/B", None)]


def test_two_mailboxes_of_one_id_prove_nothing():
    plan = plan_boxes(
        boxes([record("A", object_id="x")], [listed("B", object_id="x"), listed("C", object_id="x")])
    )
    assert (here(plan), missing(plan)) == ([], ["A"])


def test_name_that_is_another_mailbox_now_has_been_renamed():
    old = record("Sent", object_id="x")
    plan = plan_boxes(boxes([old], [listed("Sent", object_id="y"), listed("Sent-2025", object_id="x")]))
    assert here(plan) == [("Sent", "Sent-2025", None)]


def test_renamed_to_a_name_that_config_leaves_out_it_is_followed():
    plan = plan_boxes(
        boxes([record("A", object_id="x")], [listed("No", object_id="x")], kept=lambda name: name != "No")
    )
    assert here(plan) == [("A", "No", None)]


def test_exchanged_names_make_room_for_each_other():
    old = [record("A", object_id="x"), record("B", object_id="y")]
    new = [listed("A", object_id="y"), listed("B", object_id="x")]
    assert here(plan_boxes(boxes(old, new))) == [("A", "A" + ASIDE, None)]
    aside = record("A" + ASIDE, at=".aside", object_id="x")
    assert here(plan_boxes(boxes([aside, old[1]], new))) == [("B", "A", None)]
    last = [aside, replace(old[1], name=MailboxName("A"))]
    assert here(plan_boxes(boxes(last, new))) == [("A" + ASIDE, "B", None)]


@pytest.mark.parametrize("name", ["INBOX", "Out"])
def test_inbox_and_what_config_leaves_out_is_neither_renamed_nor_missed(name):
    state = Boxes(
        records={MailboxName(name): record(name, object_id="x")},
        listed=(listed("B", object_id="x"),),
        kept=lambda one: one != "Out",
    )
    plan = plan_boxes(state)
    assert (here(plan), missing(plan)) == ([], [])


def test_unselectable_mailbox_is_missing_and_nothing_new():
    plan = plan_boxes(
        boxes([record("A")], [listed("A", is_selectable=False), listed("P", is_selectable=False)])
    )
    assert (here(plan), missing(plan)) == ([], ["A"])


# -- renamed here


FILES = ("1", "2", "3")


@pytest.mark.parametrize(
    ("files", "owner", "is_rename"),
    [
        (FILES, Owner.OURS, True),
        (("1", "2", "new"), Owner.OURS, True),
        (("1",), Owner.OURS, False),
        (("8", "9"), Owner.OURS, False),
        (FILES, Owner.NOBODY, False),
        (FILES, Owner.OTHER, False),
    ],
    ids=["all", "most", "few", "none", "no_id_file", "foreign"],
)
def test_directory_with_the_files_of_one_that_vanished_was_renamed(files, owner, is_rename):
    plan = plan_boxes(
        boxes(
            [record("A")], [listed("A")], strangers=[stranger("Z", *files, owner=owner)], lost=lost(A=FILES)
        )
    )
    assert there(plan) == ([("A", "Z")] if is_rename else [])


def test_renamed_directory_is_never_a_new_mailbox_as_well():
    state = boxes(
        [record("A")], [listed("A")], strangers=[stranger("Z", *FILES, owner=Owner.OURS)], lost=lost(A=FILES)
    )
    assert not plan_boxes(state).creations
    assert is_empty(plan_boxes(replace(state, waiting={".Z"}))), "refused a short while ago"


def test_only_empty_directory_that_is_new_is_the_only_one_that_is_lost():
    state = boxes(
        [record("A"), record("B")], [listed("A"), listed("B")], strangers=[stranger("Z", owner=Owner.OURS)]
    )
    assert there(plan_boxes(replace(state, lost=lost(A=())))) == [("A", "Z")]
    assert there(plan_boxes(replace(state, lost=lost(A=(), B=())))) == []


@pytest.mark.parametrize(
    ("name", "why"), [("B", Obstacle.TAKEN), ("inbox", Obstacle.RESERVED), ("Out", Obstacle.EXCLUDED)]
)
def test_rename_to_a_name_that_cannot_be_is_left_alone(name, why):
    plan = plan_boxes(
        boxes(
            [record("A")],
            [listed("A"), listed("B")],
            strangers=[stranger(name, *FILES, owner=Owner.OURS)],
            lost=lost(A=FILES),
            kept=lambda one: one != "Out",
        )
    )
    assert (there(plan), plan.creations) == ([], ())
    assert plan.left_alone == (LeftAlone(directory=f".{name}", why=why),)


def test_renamed_on_both_sides_the_servers_name_is_taken_and_the_directory_found():
    plan = plan_boxes(
        boxes(
            [record("A", object_id="x")],
            [listed("B", object_id="x")],
            strangers=[stranger("C", *FILES, owner=Owner.OURS)],
            lost=lost(A=FILES),
        )
    )
    assert (here(plan), there(plan), plan.creations) == ([("A", "B", ".C")], [], ())


def test_parent_is_renamed_before_its_children():
    plan = plan_boxes(
        boxes(
            [record("A"), record("A/B")],
            [listed("A"), listed("A/B")],
            strangers=[stranger("Z", "1", owner=Owner.OURS), stranger("Z/B", "2", owner=Owner.OURS)],
            lost=lost(**{"A": ("1",), "A/B": ("2",)}),
        )
    )
    assert there(plan) == [("A", "Z")]


def test_restored_backup_infers_neither_rename_nor_removal_and_creates_nothing_that_was_ours():
    plan = plan_boxes(
        boxes(
            [record("A"), record("B")],
            [listed("A")],
            strangers=[
                stranger("Z", *FILES, owner=Owner.OURS), stranger("Y", owner=Owner.OURS), stranger("New"),
            ],
            lost=lost(A=FILES),
            under_review={"A", "B"},
        )
    )  # fmt: skip
    assert (there(plan), missing(plan)) == ([], [])
    assert [(one.record.name, one.directory) for one in plan.put_back] == [("A", ".Z")]
    assert [one.name for one in plan.creations] == ["New"]


def test_mailbox_under_review_keeps_no_other_from_being_removed_or_renamed():
    plan = plan_boxes(
        boxes(
            [record("A"), record("B"), record("C")],
            [listed("A")],
            strangers=[stranger("Z", *FILES, owner=Owner.OURS)],
            lost=lost(A=FILES),
            under_review={"B"},
        )
    )
    assert (there(plan), missing(plan)) == ([("A", "Z")], ["C"])
    assert not plan.put_back


# -- made here


def test_new_directories_are_created_parents_first():
    plan = plan_boxes(boxes(strangers=[stranger("A/B"), stranger("C"), stranger("A")]))
    assert plan.creations == tuple(
        CreateThere(name=MailboxName(name), directory=place)
        for name, place in (("A", ".A"), ("C", ".C"), ("A/B", ".A.B"))
    )


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (stranger("A", owner=Owner.OTHER), Obstacle.FOREIGN),
        (replace(stranger("A"), name=None), Obstacle.UNNAMED),
        (stranger("Inbox"), Obstacle.RESERVED),
        (stranger("Out"), Obstacle.EXCLUDED),
        (stranger("Known"), Obstacle.TAKEN),
    ],
)
def test_directory_that_can_be_no_mailbox_is_left_alone(one, why):
    records = [record("Known", at=".elsewhere")]
    plan = plan_boxes(
        boxes(
            records,
            strangers=[one],
            kept=lambda name: name not in {"Out", "Known"} or (why is Obstacle.TAKEN and name == "Known"),
        )
    )
    assert (plan.creations, plan.left_alone) == ((), (LeftAlone(directory=one.directory, why=why),))


@pytest.mark.parametrize(
    "state",
    [
        boxes(strangers=[stranger("A", is_complete=False)]),
        boxes(remote=[listed("A")], strangers=[stranger("A")]),
        boxes(strangers=[stranger("A")], waiting={".A"}),
    ],
    ids=["being_made", "on_both_sides", "refused_lately"],
)
def test_directory_that_must_wait_is_not_created(state):
    plan = plan_boxes(state)
    assert (plan.creations, plan.left_alone) == ((), ())


def test_directory_of_an_unselectable_name_is_created():
    assert plan_boxes(boxes(remote=[listed("A", is_selectable=False)], strangers=[stranger("A")])).creations
