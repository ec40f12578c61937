"""The README, the site and the plugins' READMEs, executed as a reader would."""
