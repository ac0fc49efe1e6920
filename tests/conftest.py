"""Fixtures that every test may use, and the sequence of the files."""

import pytest

pytest_plugins = ["tests.support.stack_fixtures", "tests.support.rust"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, whole, so that no worker ends up alone with one of them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
