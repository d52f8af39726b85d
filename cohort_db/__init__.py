"""Patients and results as rows: MIMIC-IV folders in, one relational store out. No torch, no UI."""
