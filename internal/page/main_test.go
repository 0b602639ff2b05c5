package page

import (
	"os"
	"testing"

	"owlatsync/internal/testbrowser"
)

func TestMain(m *testing.M) { os.Exit(testbrowser.Main(m)) }
