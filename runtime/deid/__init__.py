"""De-identification: what of a case goes into an archive that others may see."""
