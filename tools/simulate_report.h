/* A simulation's report on stdout, for people and for programs. */
#pragma once

#include "simulate.h"

void simulate_print_table(const struct simulate_report *report);
void simulate_print_json(const struct simulate_report *report);
