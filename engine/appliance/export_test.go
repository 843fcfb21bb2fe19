package appliance

// What the tests of this package reach into.
var NoteCrash = noteCrash
