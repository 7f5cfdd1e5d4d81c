"""Files that show the state in the format of some other system: one module per format, all pure."""
