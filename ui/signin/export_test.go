package signin

// NewLimiter makes the limiter of attempts.
var NewLimiter = newLimiter
