"""Of every table the documentation says how long its rows are kept, or why for ever."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.apps import apps

SECTION = Path("docs/settings.md").read_text("utf-8").partition("## What is kept")[2]
NAMED = re.findall(r"`([a-z_*]+)`", SECTION)
TABLES = sorted({model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed})


@pytest.mark.parametrize("table", TABLES)
def test_it_is_said_how_long_a_table_keeps_its_rows(table: str) -> None:
    assert any(fnmatch(table, name) for name in NAMED)
