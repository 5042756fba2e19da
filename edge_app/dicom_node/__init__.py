"""The DICOM node: X-rays come in by C-STORE, STOW-RS and a drop folder; priors are fetched, results sent."""
