"""What is on disk: the folders of runs and the csv files, read and checked; without torch."""
