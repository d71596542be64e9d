"""Run the notebooks, one after the other, and keep what they print in them: `make notebooks`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def main() -> None:
    """Run all in a folder that is gone afterwards, so that no output holds a path of this machine."""
    os.environ["PYTHONWARNINGS"] = "ignore"
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(HERE.glob("*.ipynb")):
            notebook = nbformat.read(path, 4)
            client = NotebookClient(
                notebook, timeout=300, record_timing=False, resources={"metadata": {"path": folder}}
            )
            client.execute()
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    # Warnings of libraries, which name their files.
                    cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
            notebook.metadata.pop("language_info", None)
            nbformat.write(notebook, path)
            print(path.name, file=sys.stderr)


if __name__ == "__main__":
    main()
