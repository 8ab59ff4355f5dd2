"""Audits: what systems gave and what is known about it in, a report out.

Every audit ends in one ``report.Report``; tables, figures and files are made from it and nowhere else.
"""

from ..weights import System

SYSTEMS: tuple[System, ...] = ()
# Published methods without weights, each a module here.
METHODS = ("casual_conversations", "bias_experiments", "webface260m", "expression_explainability")
