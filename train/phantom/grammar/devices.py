"""Statements about devices and lines."""

from __future__ import annotations

from collections.abc import Mapping

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.grammar.templates import Templates

DEVICES: Mapping[Finding, Templates] = {
    Finding.PACEMAKER: Templates(
        (
            "There is a {side} chest wall pacemaker.",
            "{side}-sided pacemaker in place.",
            "A {side} pacemaker is present with intact leads.",
            "Pacemaker generator overlies the {side} chest.",
            "{side} chest dual lead pacemaker.",
            "{side} subclavian pacemaker is unchanged.",
        ),
        (
            "On the {side}, a pacemaker is present.",
            "A pacemaker with its generator on the {side} is again seen.",
            "Stable position of the {side} pectoral pacemaker.",
        ),
    ),
    Finding.CENTRAL_LINE: Templates(
        (
            "A central venous catheter terminates in the {tip}.",
            "Central line with its tip in the {tip}.",
            "{any_side} PICC line with the tip in the {tip}.",
            "{any_side} internal jugular catheter tip projects over the {tip}.",
            "The tip of the central venous catheter is in the {tip}.",
            "{any_side} subclavian central venous line ends in the {tip}.",
            "{any_side} chest port with the tip in the {tip}.",
        ),
        (
            "A {any_side} central venous line is in place, its tip in the {tip}.",
            "The {any_side} PICC has its distal end in the {tip}.",
            "Again seen is a central venous catheter reaching the {tip}.",
        ),
    ),
    Finding.ENDOTRACHEAL_TUBE: Templates(
        (
            "An endotracheal tube is in place.",
            "The endotracheal tube tip is {depth} cm above the carina.",
            "Endotracheal tube terminates {depth} cm above the carina.",
            "ET tube in the trachea, {depth} cm above the carina.",
            "Endotracheal tube in satisfactory position.",
            "The patient is intubated, the tube tip {depth} cm above the carina.",
        ),
        (
            "Endotracheal tube ends in the mid trachea.",
            "There is an endotracheal tube with its tip {depth} cm from the carina.",
            "Position of the endotracheal tube is unchanged.",
        ),
    ),
    Finding.ENTERIC_TUBE: Templates(
        (
            "An enteric tube courses below the diaphragm.",
            "The nasogastric tube tip is in the stomach.",
            "Enteric tube terminates in the stomach.",
            "Orogastric tube with its tip in the stomach.",
            "Feeding tube projects over the upper abdomen.",
            "NG tube in place with the tip in the gastric body.",
        ),
        (
            "There is an enteric tube with its tip in the stomach.",
            "A nasogastric tube passes into the stomach.",
            "Position of the enteric tube is unchanged, tip over the abdomen.",
        ),
    ),
}
