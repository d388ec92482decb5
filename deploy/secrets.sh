#!/bin/sh
# Makes what docker-compose.yaml needs to know secretly, once: ./deploy/secrets.sh [FOLDER]
# Nobody else enters the folder; its files are readable, as the containers' users have other numbers.
set -eu
folder=${1:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
if [ -e postgres_password ]; then
    echo "$folder has its secrets; nothing was changed." >&2
    exit 0
fi
password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
server="postgresql+psycopg2://automations:$password@postgres:5432"
umask 022
printf %s "$server/automations" >automations_database_dsn
printf %s "$server/airflow" >automations_airflow_database_dsn
# The last one, which says that all are there.
printf %s "$password" >postgres_password
