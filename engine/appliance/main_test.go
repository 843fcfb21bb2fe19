package appliance_test

import (
	"testing"

	"hexad/engine/appliance/appliancetest"
)

func TestMain(m *testing.M) { appliancetest.Main(m) }
