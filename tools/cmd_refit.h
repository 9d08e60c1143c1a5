/* `topi consensus` on a project, called by cmd_consensus where its first argument is no option. As a cmd_ function. */
#pragma once

int cmd_refit(int argc, char **argv);
