package main

// peopleFaults are administrators in each other's way.
func peopleFaults() []kind { return nil }
