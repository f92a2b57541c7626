"""Control is the whole of what clients may ask, and gives nothing of what lies below it."""

import inspect

from daemon.service.control.facade import Control


def test_every_public_method_tells_its_result() -> None:
    methods = [method for name, method in vars(Control).items() if not name.startswith("_")]
    assert methods
    assert all(method.__doc__ for method in methods)


def test_every_wait_is_by_keyword_and_in_seconds() -> None:
    for name, method in inspect.getmembers(Control, inspect.isfunction):
        for parameter in inspect.signature(method).parameters.values():
            if "wait" in parameter.name:
                assert parameter.name == "wait_seconds", name
                assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, name


async def test_admin_token_of_the_store_opens(open_house, tmp_path) -> None:
    house = await open_house()
    token = (tmp_path / "store" / "api-token").read_text().strip()
    assert house.control.authenticate(token)
    assert not house.control.authenticate(token[:-1])
