from perpkit.client.desk import Desk


class OrderDesk(Desk):
    """x"""
