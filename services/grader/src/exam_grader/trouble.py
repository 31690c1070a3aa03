"""How the three stores say that they cannot be asked just now. A coordinator says so, waits and asks again."""

import psycopg
import redis
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

from exam_answerlog.log import AnswerLogUnavailableError

BROKER_TROUBLE: tuple[type[Exception], ...] = (redis.ConnectionError, redis.TimeoutError, BrokerError)
DATABASE_TROUBLE: tuple[type[Exception], ...] = (OperationalError, InterfaceError, psycopg.OperationalError)
TROUBLE: tuple[type[Exception], ...] = (*BROKER_TROUBLE, *DATABASE_TROUBLE, AnswerLogUnavailableError)
