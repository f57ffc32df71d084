"""The jobs view: every job followed from arrival to departure."""
