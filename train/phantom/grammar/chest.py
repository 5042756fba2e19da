"""Statements about findings of the heart, the mediastinum, the skeleton and the diaphragm."""

from __future__ import annotations

from collections.abc import Mapping

from edge_retrieve.runtime.findings import Finding
from edge_retrieve.train.phantom.grammar.templates import Templates

CHEST: Mapping[Finding, Templates] = {
    Finding.CARDIOMEGALY: Templates(
        (
            "There is {sev} cardiomegaly.",
            "{sev} cardiomegaly.",
            "The heart is enlarged.",
            "The cardiac silhouette is {sevly} enlarged.",
            "{sev} enlargement of the cardiac silhouette.",
            "Heart size is {sevly} enlarged, stable.",
            "Stable {sev} cardiomegaly.",
        ),
        (
            "The heart shows {sev} enlargement.",
            "Again demonstrated is {sev} cardiomegaly.",
            "The cardiac shadow appears {sevly} enlarged for the projection.",
        ),
    ),
    Finding.HILAR_ENLARGEMENT: Templates(
        (
            "The {side} hilum is {sevly} enlarged.",
            "{sev} enlargement of the {side} hilum.",
            "There is {sev} {side} hilar enlargement.",
            "{side} hilar prominence.",
            "Prominent {side} hilum.",
            "{side} hilar fullness, {sev}.",
            "{side} hilar adenopathy.",
        ),
        (
            "On the {side}, the hilum is {sevly} enlarged.",
            "Fullness of the {side} hilum is again seen.",
            "The {side} hilar contour is {sevly} prominent compared with the other side.",
        ),
    ),
    Finding.MEDIASTINAL_WIDENING: Templates(
        (
            "The mediastinum is {sevly} widened.",
            "{sev} widening of the superior mediastinum.",
            "There is {sev} mediastinal widening.",
            "{sev} widened mediastinum.",
            "Widening of the upper mediastinum, unchanged.",
            "The mediastinal contour is {sevly} widened.",
            "{sev} superior mediastinal widening.",
        ),
        (
            "The superior mediastinum appears {sevly} widened.",
            "Again demonstrated is {sev} widening of the mediastinum.",
            "The mediastinal silhouette shows {sev} widening.",
        ),
    ),
    Finding.AORTIC_ENLARGEMENT: Templates(
        (
            "The aorta is {sevly} enlarged.",
            "{sev} enlargement of the aortic knob.",
            "There is {sev} tortuosity of the thoracic aorta.",
            "The aortic arch is {sevly} dilated.",
            "Tortuous and ectatic aorta.",
            "Prominent aortic knob.",
            "The thoracic aorta is unfolded.",
        ),
        (
            "The aortic arch shows {sev} enlargement.",
            "{sev} dilatation of the thoracic aorta is again seen.",
            "The aortic contour is {sevly} prominent.",
        ),
    ),
    Finding.ELEVATED_HEMIDIAPHRAGM: Templates(
        (
            "The {side} hemidiaphragm is {sevly} elevated.",
            "{sev} elevation of the {side} hemidiaphragm.",
            "Elevated {side} hemidiaphragm.",
            "There is {sev} elevation of the {side} hemidiaphragm.",
            "Stable elevation of the {side} diaphragm.",
            "The {side} diaphragm is raised.",
        ),
        (
            "On the {side}, the hemidiaphragm is {sevly} elevated.",
            "{sev} {side} hemidiaphragm elevation is again demonstrated.",
            "The dome of the {side} hemidiaphragm appears {sevly} raised.",
        ),
    ),
    Finding.RIB_FRACTURE: Templates(
        (
            "There is a {side} rib fracture.",
            "Fracture of the {side} {ordinal} rib.",
            "{sev} displaced {side} rib fracture.",
            "A fracture of the {ordinal} {side} rib is seen.",
            "Healing {side} {ordinal} rib fracture.",
            "{side}-sided rib fracture.",
            "Deformity of the {side} {ordinal} rib from a fracture.",
        ),
        (
            "On the {side}, the {ordinal} rib is fractured.",
            "The {ordinal} rib on the {side} shows a fracture.",
            "A fractured {side} rib is again demonstrated.",
        ),
    ),
    Finding.CLAVICLE_FRACTURE: Templates(
        (
            "There is a {side} clavicle fracture.",
            "Fracture of the {side} clavicle.",
            "{sev} displaced {side} clavicular fracture.",
            "A fracture of the {side} clavicle is seen.",
            "Healing {side} clavicle fracture.",
            "The {side} clavicle is fractured.",
        ),
        (
            "On the {side}, there is a fracture of the clavicle.",
            "The {side} clavicle shows a {sevly} displaced fracture.",
            "A fractured {side} clavicle is again demonstrated.",
        ),
    ),
    Finding.SCOLIOSIS: Templates(
        (
            "There is {sev} scoliosis of the thoracic spine.",
            "{sev} thoracic scoliosis.",
            "{sev} scoliotic curvature of the spine.",
            "{sev} dextroscoliosis of the thoracic spine.",
            "{sev} levoscoliosis.",
            "Scoliosis, {sev}.",
        ),
        (
            "The thoracic spine shows {sev} scoliosis.",
            "Again demonstrated is {sev} scoliosis.",
            "The spine has a {sev} lateral curvature.",
        ),
    ),
}
