package main

import "github.com/anishathalye/porcupine"

var _ porcupine.Model
