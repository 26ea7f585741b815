"""The variables of the environment that the settings read."""

import re

from backoffice.localstack.layout import PROJECT


def variables_read() -> set[str]:
    files = (PROJECT / "backoffice" / "settings").glob("*.py")
    found = (re.findall(r'\b(?:env|given)\.\w+\(\s*"([A-Z_]+)"', file.read_text("utf-8")) for file in files)
    return {name for names in found for name in names}
