"""A paper of the pack as one offline HTML page in the house style."""

from __future__ import annotations

from markupsafe import Markup

from frbench.evidence.blocks import Bullets, Field, Heading, Paper, Paragraph, Rows
from frbench.page.document import digest, house_templates


def page(paper: Paper) -> str:
    """The paper as HTML without script and without any external reference."""
    environment = house_templates()
    style = environment.get_template("report.css.j2").render()
    style += environment.get_template("paper.css.j2").render()
    kinds = {Heading: "heading", Paragraph: "text", Bullets: "list", Rows: "rows", Field: "field"}
    return environment.get_template("paper.html.j2").render(
        paper=paper,
        blocks=[(kinds[type(block)], block) for block in paper.blocks],
        style=Markup(style),
        style_hash=digest(style),
    )
