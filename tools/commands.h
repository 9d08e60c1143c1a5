/* The one command table, in the order in which `topi` lists it. */
#pragma once

#include "command.h"

int cmd_init(int argc, char **argv);

static const struct command commands[] = {
	{"init", cmd_init, "DIR", "make a data directory", ""},
	{0},
};
