"""The model bundle: the graphs, the tokenizer, and a signed manifest that vouches for them."""

from edge_retrieve.runtime.bundle.forms import PrecisionChoice, form_file
from edge_retrieve.runtime.bundle.keys import (
    KeyFiles,
    SigningKey,
    TrustedKey,
    generate_keys,
    read_signing_key,
    read_trusted_keys,
)
from edge_retrieve.runtime.bundle.loading import (
    DEMO_BUNDLE,
    Bundle,
    inspect_bundle,
    load_bundle,
    pack_bundle,
    sign_bundle,
    write_bundle,
)
from edge_retrieve.runtime.bundle.manifest import (
    MANIFEST_NAME,
    SCHEMA_VERSION,
    Calibration,
    Engine,
    FormParity,
    Fusion,
    FusionWeights,
    Graph,
    GraphForm,
    Manifest,
    Precision,
    RoiAlign,
    Signature,
)
from edge_retrieve.runtime.bundle.signature import Trust, read_trust

__all__ = [
    "DEMO_BUNDLE",
    "MANIFEST_NAME",
    "SCHEMA_VERSION",
    "Bundle",
    "Calibration",
    "Engine",
    "FormParity",
    "Fusion",
    "FusionWeights",
    "Graph",
    "GraphForm",
    "KeyFiles",
    "Manifest",
    "Precision",
    "PrecisionChoice",
    "RoiAlign",
    "Signature",
    "SigningKey",
    "Trust",
    "TrustedKey",
    "form_file",
    "generate_keys",
    "inspect_bundle",
    "load_bundle",
    "pack_bundle",
    "read_signing_key",
    "read_trust",
    "read_trusted_keys",
    "sign_bundle",
    "write_bundle",
]
