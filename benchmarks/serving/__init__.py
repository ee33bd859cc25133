"""The prediction service beside other servers."""
