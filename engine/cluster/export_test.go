package cluster

// JudgedDifferently reports whether the rules might judge changed facts unlike.
var JudgedDifferently = judgedDifferently
