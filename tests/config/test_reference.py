from pathlib import Path

from m2trec_merlin.config.reference import reference


def test_the_page_in_docs_is_the_current_one() -> None:
    page = Path("docs/configuration.md").read_text(encoding="utf-8")
    assert page == reference(), "run: python -m m2trec_merlin.config.reference > docs/configuration.md"
