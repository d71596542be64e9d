"""The Python environment of Triton's workers, with the same interpreter and modules as this process.

A worker embeds Python in isolation and ignores PYTHONPATH. But it uses the environment of the first `python3`
on PATH, so it gets an environment of its own there, made of links.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

_OUR_PACKAGE = Path(__file__).parents[2]

#: Folders of these names can have .pth files that add more folders, such as those of editable installations.
_WITH_MORE = ("site-packages", "dist-packages")


def lay_out_python(target: Path) -> Path:
    """Make an environment in the new folder `target`; return the folder of its `python3`.

    Its modules are those of the interpreter, then this package, then those in `sys.path`, in this order.
    """
    programs = target / "bin"
    modules = target / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    for folder in (programs, modules, target / "paths"):
        folder.mkdir(parents=True)
    (target / "base").symlink_to(sys.base_prefix)
    settings = f"home = {target / 'base' / 'bin'}\ninclude-system-site-packages = false\n"
    (target / "pyvenv.cfg").write_text(settings, encoding="ascii")
    for name in ("python", "python3"):
        (programs / name).symlink_to(sys.executable)
    (modules / _OUR_PACKAGE.name).symlink_to(_OUR_PACKAGE)
    lines = []
    for number, path in enumerate(_own_paths()):
        # A link, since the path itself may have letters that the worker cannot read.
        link = target / "paths" / str(number)
        link.symlink_to(path)
        has_more = path.name in _WITH_MORE
        lines.append(f"import site; site.addsitedir({str(link)!r})" if has_more else str(link))
    (modules / "paths.pth").write_text("\n".join(lines), encoding="ascii")
    return programs


def _own_paths() -> list[Path]:
    """Return the folders of `sys.path`, except those of the interpreter itself."""
    standard = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    interpreter = {*standard, *(path / "lib-dynload" for path in standard)}
    found = [Path(path).resolve() for path in sys.path if path]
    return [path for path in dict.fromkeys(found) if path.exists() and path not in interpreter]
