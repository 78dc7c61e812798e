-- The gateways' role and their database, as superuser: psql -v password="$PASSWORD" -f roles.sql
-- The role (avika, or -v role=NAME) owns the database, in which it makes the schema avika itself; it can do nothing elsewhere.
\set ON_ERROR_STOP on
\if :{?role}
\else
\set role avika
\endif
create role :"role" login password :'password';
create database avika owner :"role";
revoke all on database avika from public;
\connect avika
revoke all on schema public from public;
