package ssh

// ReadSizes reads a payload as the requests that tell a terminal's size.
func ReadSizes(payload []byte) (sizes [][2]int) {
	if w, ok := readTerminal(payload); ok {
		sizes = append(sizes, [2]int{w.columns, w.rows})
	}
	if w, ok := readWindow(payload); ok {
		sizes = append(sizes, [2]int{w.columns, w.rows})
	}
	_, _ = readText(payload)
	return sizes
}

// PromptName is what the prompt calls a system.
var PromptName = promptName
