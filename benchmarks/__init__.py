"""Figures of the streamed job, each from one command; see README.md beside this file."""
