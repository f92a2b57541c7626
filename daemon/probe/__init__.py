"""Looking at mail servers without taking anything in: does an account work, and which protocol fits.

Knows no store. Nothing is changed on a server, and a secret is sent once at most and over a trusted line only.
"""
