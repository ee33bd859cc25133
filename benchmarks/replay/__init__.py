"""Retraining policies beside those that people use instead."""
