"""The rules of the code, one module for each subject. test/house.py checks them all; test_house.py sees each rule fail."""
