#!/usr/bin/env python3
"""Bring the catalogs of the framework's own texts up to date: extract, update, compile."""

import os
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
PYTHON = HOME / ".venv" / "bin" / "python"
if Path(sys.prefix) != HOME / ".venv" and PYTHON.exists():
    os.execv(PYTHON, [str(PYTHON), __file__, *sys.argv[1:]])

os.chdir(HOME)
sys.path.insert(0, str(HOME / "src"))

from demijohn.i18n.catalogs import FRAMEWORK, compile_po  # noqa: E402
from demijohn.i18n.commands import update_catalog, write_catalog  # noqa: E402
from demijohn.i18n.extraction import framework_catalog  # noqa: E402
from demijohn.i18n.locales import parse_locale  # noqa: E402
from demijohn.templating import Environment  # noqa: E402

catalog = framework_catalog(Environment())
write_catalog(FRAMEWORK.pot, catalog)
for tag in ("de", "es", "ar"):
    print(update_catalog(FRAMEWORK, catalog, tag))
    locale = parse_locale(tag)
    FRAMEWORK.mo(locale).write_bytes(compile_po(FRAMEWORK.po(locale), locale))
