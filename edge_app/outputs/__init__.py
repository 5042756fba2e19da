"""Results as a hospital's other systems take them: DICOM SR, GSPS and Secondary Capture, FHIR."""
