"""What can be computed once there are draws; one file per quantity, each a method of ``Fit``."""
