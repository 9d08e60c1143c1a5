/* Every command's entry; the table in topi.c lists them. */
#pragma once

#include "command.h"

int cmd_init(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_project(int argc, char **argv);
int cmd_deployment(int argc, char **argv);
int cmd_consensus(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_infer(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_gold(int argc, char **argv);
int cmd_certificate(int argc, char **argv);
int cmd_expert(int argc, char **argv);
int cmd_worker(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_model(int argc, char **argv);
