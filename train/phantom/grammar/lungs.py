"""Statements about findings of the lungs and the pleura."""

from __future__ import annotations

from collections.abc import Mapping

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.grammar.templates import Templates

LUNGS: Mapping[Finding, Templates] = {
    Finding.NODULE: Templates(
        (
            "There is a {size} {loc} nodule.",
            "A {size} pulmonary nodule is seen {in}.",
            "{size} nodular opacity {in}.",
            "{loc} nodule measuring approximately {length}.",
            "{size} rounded nodule projects {over}.",
            "A {length} nodule is noted {in}.",
            "Solitary {size} nodule {in}, not seen previously.",
        ),
        (
            "Within the lungs, a {size} nodule is present {in}.",
            "{in_front}, a {length} pulmonary nodule is identified.",
            "A well circumscribed nodular density is again demonstrated {in}.",
        ),
    ),
    Finding.MASS: Templates(
        (
            "There is a {size} {loc} mass.",
            "A {size} mass is seen {in}.",
            "{size} mass-like opacity {in}.",
            "{loc} mass measuring approximately {length}.",
            "Lobulated mass {in}, concerning in appearance.",
            "A {size} spiculated mass projects {over}.",
            "{size} rounded mass {in}, increased since the prior study.",
        ),
        (
            "{in_front}, a {size} mass is present.",
            "Again demonstrated is a {size} mass {in}.",
            "A dominant {length} mass occupies part of the lung {in}.",
        ),
    ),
    Finding.CALCIFIED_GRANULOMA: Templates(
        (
            "There is a {size} {loc} calcified granuloma.",
            "A {size} calcified granuloma is seen {in}.",
            "{size} densely calcified nodule {in}.",
            "{loc} calcified granuloma, unchanged.",
            "Stable calcified granuloma {in}.",
            "Calcified granuloma noted {in}, a sign of old infection.",
            "A {size} calcified nodule projects {over}.",
        ),
        (
            "{in_front}, a calcified granuloma is present.",
            "Incidental note is made of a {size} calcified granuloma {in}.",
            "A {size} granuloma with dense calcification is again seen {in}.",
        ),
    ),
    Finding.CONSOLIDATION: Templates(
        (
            "There is {sev} {loc} consolidation.",
            "{sev} airspace consolidation is seen {in}.",
            "{loc} airspace disease with air bronchograms.",
            "{sev} focal consolidation {in}.",
            "{loc} pneumonia.",
            "Patchy airspace disease {in}.",
            "A {sev} consolidative opacity is present {in}.",
            "New infiltrate {in}.",
        ),
        (
            "{in_front}, there is {sev} consolidation.",
            "Dense consolidation now involves the lung {in}.",
            "{sev} {loc} airspace consolidation has developed since the prior examination.",
        ),
    ),
    Finding.ATELECTASIS: Templates(
        (
            "There is {sev} {loc} atelectasis.",
            "{sev} atelectasis is seen {in}.",
            "{sev} subsegmental atelectasis {in}.",
            "{loc} linear atelectasis.",
            "Plate-like atelectasis {in}, unchanged.",
            "{sev} volume loss and atelectasis {in}.",
            "Bandlike {loc} atelectasis is present.",
        ),
        (
            "{in_front}, there is {sev} atelectasis.",
            "Streaky atelectasis is again noted {in}.",
            "{sev} discoid atelectasis has developed {in}.",
        ),
    ),
    Finding.INTERSTITIAL_OPACITY: Templates(
        (
            "There are {sev} {loc} interstitial opacities.",
            "{sev} reticular opacities are seen {in}.",
            "{sev} interstitial markings {in}.",
            "{loc} reticulonodular opacities.",
            "Coarse reticular markings {in}.",
            "{sev} interstitial thickening {in}, unchanged.",
            "{sev} {loc} reticular opacities are present.",
        ),
        (
            "{in_front}, there are {sev} interstitial opacities.",
            "{sev} increase of interstitial markings {in}.",
            "Chronic appearing reticular opacities are again noted {in}.",
        ),
    ),
    Finding.PULMONARY_EDEMA: Templates(
        (
            "There is {sev} pulmonary edema.",
            "{sev} interstitial pulmonary edema.",
            "Findings are consistent with {sev} pulmonary edema.",
            "{sev} pulmonary vascular congestion and edema.",
            "Bilateral indistinct vessels due to {sev} pulmonary edema.",
            "{sev} pulmonary edema, worse than on the prior study.",
            "Vascular congestion with {sev} edema in both lungs.",
        ),
        (
            "The lungs show {sev} pulmonary edema.",
            "{sev} edema has developed throughout both lungs.",
            "Vessels are indistinct, in keeping with {sev} pulmonary edema.",
        ),
    ),
    Finding.SCARRING: Templates(
        (
            "There is {sev} {loc} scarring.",
            "{sev} scarring is seen {in}.",
            "{loc} scarring, unchanged.",
            "{sev} linear scarring {in}.",
            "Old fibrotic changes {in}.",
            "Chronic scarring is present {in}.",
            "{sev} {loc} fibronodular scarring.",
        ),
        (
            "{in_front}, there is {sev} scarring.",
            "Stable scarring is again demonstrated {in}.",
            "{sev} streaky scarring remains {in}.",
        ),
    ),
    Finding.PLEURAL_EFFUSION: Templates(
        (
            "There is a {amount} {side} pleural effusion.",
            "{amount} {side}-sided pleural effusion.",
            "A {amount} pleural effusion is seen on the {side}.",
            "Blunting of the {side} costophrenic angle from a {amount} effusion.",
            "{amount} {side} effusion layering at the base.",
            "A {amount} amount of {side} pleural fluid is present.",
            "Stable {amount} {side} pleural effusion.",
        ),
        (
            "On the {side}, there is a {amount} pleural effusion.",
            "The {side} costophrenic angle is obscured by a {amount} pleural effusion.",
            "{amount} pleural effusion has accumulated on the {side} since the prior examination.",
        ),
    ),
    Finding.PNEUMOTHORAX: Templates(
        (
            "There is a {amount} {side} pneumothorax.",
            "{amount} {side} apical pneumothorax.",
            "A {amount} pneumothorax is seen on the {side}.",
            "{amount} {side}-sided pneumothorax without mediastinal shift.",
            "{side} pneumothorax with the pleural line visible at the apex.",
            "New {amount} pneumothorax at the {side} apex.",
            "Persistent {amount} {side} pneumothorax.",
        ),
        (
            "On the {side}, there is a {amount} pneumothorax.",
            "A {amount} pneumothorax is again demonstrated at the {side} lung apex.",
            "The {side} lung is partly separated from the chest wall by a {amount} pneumothorax.",
        ),
    ),
}
