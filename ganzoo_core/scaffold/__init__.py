"""New plugins from templates: `ganzoo new`.

Each template is a plugin that works where it lies, `templates/my-KIND`; a new plugin is a copy of
it under another name, with what `templates/common` adds to every kind.
"""

from ganzoo_core.scaffold.writing import KINDS, write_plugin

__all__ = ["KINDS", "write_plugin"]
