package programs

import "syscall"

// dieWithParent makes the kernel end the process even if this program is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
