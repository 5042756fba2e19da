"""The parts of `benchmarks/dicom_load.py`."""
