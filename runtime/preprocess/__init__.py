"""The only path from a DICOM, PNG or JPEG file to float32 pixels."""
