package main

import "syscall"

// dieWithParent makes the kernel end the server even if this program is killed.
func dieWithParent(attr *syscall.SysProcAttr, with syscall.Signal) { attr.Pdeathsig = with }
