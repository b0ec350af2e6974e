"""Methods that SDS-IQA is compared with, one a file."""
