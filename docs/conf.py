"""Settings of the documentation's builder: `make docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

project = "sdsiqa"
author = "The sdsiqa authors"
extensions = [
    "myst_parser",  # the documents are Markdown
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",  # docstrings as Google writes them
    "sphinx_design",
    "public_names",
    "project_files",
]
exclude_patterns = ["_extensions"]
nitpicky = False  # names of other packages have no page here
suppress_warnings = ["myst.header"]  # the changelog starts at its own level

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4  # the anchors that GitHub gives headings

default_role = "literal"  # `x` in a docstring is code, as in Markdown
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {name: name for name in ("Array", "ArrayLike", "Image", "Map")}  # not what they stand for
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "sdsiqa documentation"
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_static_path = ["_static"]
html_css_files = ["sdsiqa.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "sdsiqa"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navigation_with_keys": False,
    "show_prev_next": False,
    "secondary_sidebar_items": {
        "**": ["page-toc"],
        "methods": [],
        "results-methods": [],
        "results-ablation": [],
        "results-saliency": [],
    },  # wide tables
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copyright = "The sdsiqa authors; Apache-2.0"  # noqa: A001 - the builder reads this name
