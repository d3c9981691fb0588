"""Blueprints, one per audience: parse input, call one service, render or return."""
